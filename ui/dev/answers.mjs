/** Answers in the form of the API. */
export const ok = (body) => ({ status: 200, body });
export const error = (status, code, message, hint = "") => ({ status, body: { error: { code, kind: status === 404 ? "not-found" : "conflict", message, hint, details: {} } } });
