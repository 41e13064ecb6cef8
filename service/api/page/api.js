// Requests to our own API. Every failure becomes an ApiError that carries the server's own sentence.

export class ApiError extends Error {
  constructor(message, { status = 0, code = "unreachable", errors = [], retryAfterS = null } = {}) {
    super(message);
    this.status = status;
    this.code = code;
    this.errors = errors;
    this.retryAfterS = retryAfterS;
  }
}

export async function request(method, path, body, headers = {}) {
  const options = { method, headers: { accept: "application/json", ...headers } };
  if (body !== undefined) {
    options.headers["content-type"] = "application/json";
    options.body = JSON.stringify(body);
  }
  let answer;
  try {
    answer = await fetch(path, options);
  } catch {
    throw new ApiError("The server cannot be reached.");
  }
  if (answer.ok) return answer.status === 204 ? null : answer.json();
  throw await toError(answer);
}

async function toError(answer) {
  const retry = answer.headers.get("retry-after");
  try {
    const problem = await answer.json();
    return new ApiError(sentence(problem.detail ?? problem.title), {
      status: answer.status, code: problem.code, errors: problem.errors ?? [], retryAfterS: retry ? Number(retry) : null,
    });
  } catch {
    return new ApiError(`The server answered ${answer.status} without saying why.`, { status: answer.status, code: "unknown" });
  }
}

function sentence(text) {
  const trimmed = text.trim();
  return trimmed.charAt(0).toUpperCase() + trimmed.slice(1) + (/[.!?]$/.test(trimmed) ? "" : ".");
}

export function socketAddress(path) {
  return `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}${path}`;
}

export const streamPath = (id, rest = "") => `/v1/streams/${encodeURIComponent(id)}${rest}`;
