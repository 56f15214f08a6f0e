/** Where the same page is on https: the hub says on which port. */

const DEFAULT_PORT = 3443;

export async function securePage(path) {
  const port = await tlsPort().catch(() => DEFAULT_PORT);
  return `https://${location.hostname}:${port}${path}`;
}

async function tlsPort() {
  const { tls_port: port } = await (await fetch("/healthz")).json();
  return Number.isInteger(port) && port > 0 ? port : DEFAULT_PORT;
}
