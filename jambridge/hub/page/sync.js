/** The `sync` data channel: answers pings with our monotonic clock, in milliseconds. */

const MAX_MESSAGE = 1024;

export const SYNC_CHANNEL = Object.freeze({ label: "sync", options: { ordered: false, maxRetransmits: 0 } });

export function answerPings(channel) {
  channel.onmessage = ({ data }) => {
    const t2 = performance.now();
    const ping = decode(data);
    if (ping && channel.readyState === "open")
      channel.send(JSON.stringify({ type: "pong", id: ping.id, t1: ping.t1, t2, t3: performance.now() }));
  };
}

function decode(data) {
  if (typeof data !== "string" || data.length > MAX_MESSAGE) return null;
  try {
    const message = JSON.parse(data);
    return message?.type === "ping" && typeof message.t1 === "number" ? message : null;
  } catch {
    return null;
  }
}
