// The service's API over its unix socket, as any client speaks it.
import { request as httpRequest } from "node:http";

export class Service {
  constructor(home) {
    this.socket = `${home}/run/service.sock`;
  }

  /** { status, body }: JSON parsed, pictures as bytes. */
  raw(method, path, body) {
    return new Promise((resolve, reject) => {
      const request = httpRequest(
        { socketPath: this.socket, method, path, headers: { host: "nestbox", "content-type": "application/json" }, timeout: 120_000 },
        (response) => {
          const parts = [];
          response.on("data", (part) => parts.push(part));
          response.on("error", reject);
          response.on("end", () => {
            const bytes = Buffer.concat(parts);
            const json = (response.headers["content-type"] ?? "").startsWith("application/json");
            resolve({ status: response.statusCode, body: json && bytes.length ? JSON.parse(bytes.toString()) : bytes });
          });
        },
      );
      request.on("timeout", () => request.destroy(new Error(`${method} ${path} did not answer`)));
      request.on("error", reject);
      request.end(body === undefined ? undefined : JSON.stringify(body));
    });
  }

  async call(method, path, body) {
    const answer = await this.raw(method, path, body);
    if (answer.status >= 300) throw new Error(`${method} ${path}: ${answer.status} ${JSON.stringify(answer.body?.error ?? null)}`);
    return answer.body;
  }

  get(path) {
    return this.call("GET", path);
  }
  post(path, body = {}) {
    return this.call("POST", path, body);
  }

  async machine(name) {
    return this.get(`/v1/machines/${encodeURIComponent(name)}`);
  }
  async serial(name) {
    return (await this.get(`/v1/machines/${encodeURIComponent(name)}/logs`)).serial;
  }

  /** Ends every machine and the service itself: nothing of a test outlives it. */
  async shutDown() {
    try {
      for (const { id, state } of (await this.get("/v1/machines")).machines) {
        if (["running", "paused", "stopping", "starting"].includes(state)) await this.post(`/v1/machines/${id}/stop`, { force: true });
      }
      await this.post("/v1/service/stop");
    } catch (error) {
      if (!["ENOENT", "ECONNREFUSED", "ECONNRESET"].includes(error.code)) throw error;
    }
  }
}
