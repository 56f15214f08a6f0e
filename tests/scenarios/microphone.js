// Runs in the musician's page before its own scripts: notes when the browser's sound device handed in each attack
// after a second of silence (or `window.quietS`), in seconds of wall time, and how far it was ten times a second: [wall time, seconds handed
// in]. A chunk's timestamp is in microseconds since the time origin.
(() => {
  const THRESHOLD = 0.01;
  const QUIET_S = window.quietS ?? 1.0;
  window.attacks = [];
  window.pace = [];

  const devices = navigator.mediaDevices;
  if (!devices) return;
  const open = devices.getUserMedia.bind(devices);
  devices.getUserMedia = async (wanted) => {
    const stream = await open(wanted);
    listen(stream.getAudioTracks()[0].clone());
    return stream;
  };

  async function listen(track) {
    const reader = new MediaStreamTrackProcessor({ track }).readable.getReader();
    let quietFrames = Infinity;
    let chunks = 0;
    let handedIn = 0;
    for (;;) {
      const { done, value: chunk } = await reader.read();
      if (done) return;
      const samples = new Float32Array(chunk.numberOfFrames);
      chunk.copyTo(samples, { planeIndex: 0, format: "f32-planar" });
      for (let frame = 0; frame < samples.length; frame++) {
        if (Math.abs(samples[frame]) < THRESHOLD) {
          quietFrames++;
          continue;
        }
        if (quietFrames >= QUIET_S * chunk.sampleRate) {
          // As if a sound card had filled the chunk in real time and handed it in when full.
          const before = (samples.length - frame) / chunk.sampleRate;
          window.attacks.push(performance.timeOrigin / 1e3 + chunk.timestamp / 1e6 - before);
        }
        quietFrames = 0;
      }
      handedIn += samples.length / chunk.sampleRate;
      if (chunks++ % 10 === 0) window.pace.push([performance.timeOrigin / 1e3 + chunk.timestamp / 1e6, handedIn]);
      chunk.close();
    }
  }
})();
