// A client for DMicro servers that speak the json sub-protocol over WebSocket. Bodies are JSON.
//
//   const server = new DMicro("wss://example.org/ws");
//   server.onPush("/news", (body) => { ... });
//   const sum = await server.call("/math/add", [1, 2]);   // throws a DMicroError with a code
//   await server.push("/seen", 7);
"use strict";

const CALL = 1, REPLY = 2, PUSH = 3;
const JSON_CODEC = 106;
const NOT_FOUND = 404, CONN_CLOSED = 102, TIMEOUT = 408;

class DMicroError extends Error {
  constructor({ code, msg, cause }) {
    super(msg || "failed");
    this.code = code;
    this.reason = cause;
  }
}

class DMicro {
  // timeout bounds each call, in milliseconds; 0 is no bound.
  constructor(url, { timeout = 30000 } = {}) {
    this.timeout = timeout;
    this.seq = 0;
    this.pending = new Map(); // seq: {resolve, reject, timer}
    this.handlers = new Map(); // service method: function
    this.socket = new WebSocket(url);
    this.socket.binaryType = "arraybuffer"; // a DMicro message is a binary message of WebSocket
    this.socket.onmessage = (event) => this.receive(event.data);
    this.opened = new Promise((resolve, reject) => {
      this.socket.onopen = resolve;
      this.socket.onclose = (event) => {
        const err = new DMicroError({ code: CONN_CLOSED, msg: `connection closed with code ${event.code}` });
        reject(err);
        for (const seq of [...this.pending.keys()]) this.settle(seq, "reject", err);
      };
    });
    this.opened.catch(() => {}); // whoever calls learns of it
  }

  // call resolves to the body of the reply.
  async call(method, body, meta) {
    await this.opened;
    return new Promise((resolve, reject) => {
      const seq = this.next();
      const late = () => this.settle(seq, "reject", new DMicroError({ code: TIMEOUT, msg: "no reply in time" }));
      this.pending.set(seq, { resolve, reject, timer: this.timeout ? setTimeout(late, this.timeout) : 0 });
      try {
        this.send({ seq, mtype: CALL, serviceMethod: method, meta, body });
      } catch (err) {
        this.settle(seq, "reject", err);
      }
    });
  }

  // push sends a message that is not answered.
  async push(method, body, meta) {
    await this.opened;
    this.send({ seq: this.next(), mtype: PUSH, serviceMethod: method, meta, body });
  }

  // onPush sets the function that gets the bodies of pushes, and answers calls of the server with what it returns.
  onPush(method, handler) { this.handlers.set(method, handler); }

  close() { this.socket.close(1000); }

  next() { return this.seq = (this.seq + 1) | 0; }

  send({ seq, mtype, serviceMethod = "", meta = {}, body, status }) {
    if (this.socket.readyState !== WebSocket.OPEN) throw new DMicroError({ code: CONN_CLOSED, msg: "not connected" });
    const message = {
      seq, mtype, serviceMethod, meta: JSON.stringify(meta), bodyCodec: JSON_CODEC,
      body: body === undefined ? "" : JSON.stringify(body), ptf: [],
    };
    if (status) message.status = JSON.stringify(status);
    this.socket.send(new TextEncoder().encode(JSON.stringify(message)));
  }

  receive(data) {
    const message = JSON.parse(typeof data === "string" ? data : new TextDecoder().decode(data));
    if (message.mtype === REPLY) return this.reply(message);
    this.serve(message);
  }

  reply(message) {
    const status = message.status ? JSON.parse(message.status) : { code: 0 };
    if (status.code !== 0) return this.settle(message.seq, "reject", new DMicroError(status));
    try {
      this.settle(message.seq, "resolve", parseBody(message));
    } catch (err) {
      this.settle(message.seq, "reject", err);
    }
  }

  settle(seq, how, value) {
    const call = this.pending.get(seq);
    if (!call) return; // too late
    this.pending.delete(seq);
    clearTimeout(call.timer);
    call[how](value);
  }

  async serve(message) {
    const { seq, mtype, serviceMethod } = message;
    let body, status;
    try {
      const handler = this.handlers.get(serviceMethod);
      if (handler) body = await handler(parseBody(message));
      else status = { code: NOT_FOUND, msg: "Not Found", cause: "" };
    } catch (err) {
      console.error(err);
      status = { code: 500, msg: "Internal Server Error", cause: "" };
    }
    if (mtype === CALL) this.send({ seq, mtype: REPLY, body, status });
  }
}

// parseBody returns the body of a message: JSON decoded, anything else as text.
function parseBody({ bodyCodec, body }) {
  if (!body) return undefined;
  return bodyCodec === JSON_CODEC ? JSON.parse(body) : body;
}

if (typeof module !== "undefined") module.exports = { DMicro, DMicroError };
