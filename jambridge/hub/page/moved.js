/** Where the hub sends us when it makes way for another, if that is a place to go to. Pure. */

const LOCAL = /\.(?:local|localhost|lan|home\.arpa|internal)$/; // never delegated in the public DNS
const ADDRESS = /^(?:\d+\.\d+\.\d+\.\d+|\[[0-9a-f:.]+\])$/; // as URL writes them
const MAX_URL = 200;

/**
 * The address of the room at the other hub, or null for what a hub of this network would not say.
 *
 * @param page of the other hub, as it was told to us
 * @param protocol of the page we are on: what was secure stays secure
 * @param visitor {name, instrument}: they go along, since another origin remembers nothing
 */
export function destination(page, { protocol, code, visitor }) {
  const url = typeof page === "string" && page.length <= MAX_URL ? parsed(page) : null;
  if (!url || url.username || url.password) return null;
  if (url.protocol !== "https:" && !(url.protocol === "http:" && protocol === "http:")) return null;
  const { hostname } = url;
  if (hostname.includes(".") && !LOCAL.test(hostname) && !ADDRESS.test(hostname)) return null;
  return `${url.origin}/jam/${code}#${new URLSearchParams(visitor)}`;
}

/** What the page we come from said of us, in the address's fragment. */
export function visitorIn(hash) {
  const said = new URLSearchParams(hash.slice(1));
  return { name: said.get("name"), instrument: said.get("instrument") };
}

function parsed(text) {
  try {
    return new URL(text);
  } catch {
    return null;
  }
}
