/**
 * Opus for music, written into our own descriptions. Pure.
 *
 * Source: RFC 7587 section 7 (fmtp), RFC 8866 section 6.4 (ptime). Chromium sends mono in 20 ms frames without these,
 * and decodes stereo only where its own description says `stereo=1`.
 */

const MUSIC = { minptime: "10", stereo: "1", "sprop-stereo": "1", maxaveragebitrate: "256000" };
const PTIME = "a=ptime:10";

export function forMusic(sdp) {
  return sdp
    .split(/(?=^m=)/m)
    .map((section) => (section.startsWith("m=audio") ? audioForMusic(section) : section))
    .join("");
}

function audioForMusic(section) {
  const payload = section.match(/^a=rtpmap:(\d+) opus\/48000\/2\r?$/im)?.[1];
  if (payload === undefined) return section;
  const lines = section.split("\r\n").filter((line) => line && !line.startsWith("a=ptime:"));
  const prefix = `a=fmtp:${payload} `;
  const format = { ...parameters(lines.find((line) => line.startsWith(prefix))?.slice(prefix.length)), ...MUSIC };
  const kept = lines.filter((line) => !line.startsWith(prefix));
  const map = kept.findIndex((line) => line.startsWith(`a=rtpmap:${payload} `));
  kept.splice(map + 1, 0, prefix + Object.entries(format).map((pair) => pair.join("=")).join(";"), PTIME);
  return `${kept.join("\r\n")}\r\n`;
}

function parameters(text = "") {
  return Object.fromEntries(
    text
      .split(";")
      .filter(Boolean)
      .map((pair) => pair.trim().split("=", 2)),
  );
}
