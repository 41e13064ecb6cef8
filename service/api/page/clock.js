// The server's clock as seen from here, so that ages and latency do not depend on the viewer's own clock.

let offsetS = 0;
let bestRoundTripMs = Infinity;

export function learn(serverNowS, askedAtMs, answeredAtMs) {
  const roundTripMs = answeredAtMs - askedAtMs;
  if (roundTripMs > bestRoundTripMs) return;
  bestRoundTripMs = roundTripMs;
  offsetS = serverNowS - (askedAtMs + answeredAtMs) / 2000;
}

export const serverNowS = () => Date.now() / 1000 + offsetS;
