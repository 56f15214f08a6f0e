// Runs in a page before its own scripts. After `useClicks()` there are clicks made by WebAudio in the place of the
// microphone, and `window.clicks` says when each was rendered: [Date.now(), frames into its quantum of 128].
// `window.listen(audio, seconds)` gives what an <audio> element plays, as WebAudio gets it: {nows, samples} of every
// quantum, base64 of Float64Array and Float32Array; `bufferedMs` is what the browser's jitter buffer took of the delay.
(() => {
  const PROGRAM = `
    const LEVEL = 0.5, FRAMES = 192, APART = [0.2, 0.35];
    const click = Float32Array.from({ length: FRAMES }, (_, frame) => {
      const time = frame / 48000;
      const phase = 2 * Math.PI * (1000 * time + (5000 / 0.004) * (time * time) / 2);
      return LEVEL * Math.sin(phase) * (0.5 - 0.5 * Math.cos((2 * Math.PI * frame) / (FRAMES - 1)));
    });
    class Clicks extends AudioWorkletProcessor {
      next = currentFrame + 48000;
      process(_, [output]) {
        const now = Date.now();
        for (let frame = 0; frame < output[0].length; frame++) {
          const place = currentFrame + frame - this.next;
          if (place === 0) this.port.postMessage([now, frame]);
          for (const channel of output) channel[frame] = place >= 0 && place < FRAMES ? click[place] : 0;
          if (place === FRAMES) this.next += Math.floor(48000 * (APART[0] + Math.random() * (APART[1] - APART[0])));
        }
        return true;
      }
    }
    class Ear extends AudioWorkletProcessor {
      process([input]) {
        const heard = new Float32Array(128);
        for (const channel of input) for (let frame = 0; frame < 128; frame++) heard[frame] += channel[frame];
        this.port.postMessage([Date.now(), heard]);
        return true;
      }
    }
    registerProcessor("clicks", Clicks);
    registerProcessor("ear", Ear);`;

  async function open() {
    const context = new AudioContext({ sampleRate: 48_000, latencyHint: "interactive" });
    await context.audioWorklet.addModule(URL.createObjectURL(new Blob([PROGRAM], { type: "text/javascript" })));
    await context.resume();
    return context;
  }

  window.clicks = [];
  const connections = [];
  window.RTCPeerConnection = class extends RTCPeerConnection {
    constructor(...options) {
      super(...options);
      connections.push(this);
    }
  };

  window.useClicks = () => {
    navigator.mediaDevices.getUserMedia = async () => {
      const context = await open();
      const clicks = new AudioWorkletNode(context, "clicks", { numberOfInputs: 0, outputChannelCount: [2] });
      clicks.port.onmessage = ({ data }) => window.clicks.push(data);
      const target = new MediaStreamAudioDestinationNode(context, { channelCount: 2 });
      clicks.connect(target);
      return target.stream;
    };
  };

  window.listen = async (audio, seconds) => {
    const context = await open();
    const ear = new AudioWorkletNode(context, "ear", { numberOfOutputs: 1 });
    const heard = [];
    const before = await buffered();
    ear.port.onmessage = ({ data }) => heard.push(data);
    context.createMediaStreamSource(audio.srcObject).connect(ear).connect(context.destination);
    await new Promise((done) => setTimeout(done, 1000 * seconds));
    const after = await buffered();
    const bufferedMs = (1000 * (after.delay - before.delay)) / (after.count - before.count);
    const latency = [context.baseLatency, context.outputLatency];
    await context.close();
    const nows = Float64Array.from(heard, ([now]) => now);
    const samples = new Float32Array(128 * heard.length);
    heard.forEach(([, block], quantum) => samples.set(block, 128 * quantum));
    return { nows: base64(nows), samples: base64(samples), latency, bufferedMs };
  };

  async function buffered() {
    for (const connection of connections) {
      for (const one of (await connection.getStats()).values()) {
        if (one.type === "inbound-rtp") return { delay: one.jitterBufferDelay, count: one.jitterBufferEmittedCount };
      }
    }
    return { delay: NaN, count: NaN };
  }

  function base64(numbers) {
    const bytes = new Uint8Array(numbers.buffer);
    const pieces = [];
    for (let at = 0; at < bytes.length; at += 32_768) pieces.push(String.fromCharCode(...bytes.subarray(at, at + 32_768)));
    return btoa(pieces.join(""));
  }
})();
