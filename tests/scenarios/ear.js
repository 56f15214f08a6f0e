// The last 32768 frames of both channels that an <audio> element plays, at 48 kHz.
async (audio) => {
  const context = new AudioContext({ sampleRate: 48_000 });
  const splitter = new ChannelSplitterNode(context, { numberOfOutputs: 2 });
  context.createMediaStreamSource(audio.srcObject).connect(splitter);
  const ears = [0, 1].map((channel) => {
    const ear = new AnalyserNode(context, { fftSize: 32_768 });
    splitter.connect(ear, channel);
    return ear;
  });
  while (context.currentTime < 1) await new Promise((done) => setTimeout(done, 50));
  const heard = ears.map((ear) => {
    const samples = new Float32Array(ear.fftSize);
    ear.getFloatTimeDomainData(samples);
    return [...samples];
  });
  await context.close();
  return heard;
};
