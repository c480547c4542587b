import type { Socket } from "node:net";

/** The open connections of a server, and how many requests each of them waits for. */
export class Connections {
  // Node counts a connection that has not sent a request yet as busy, so that it cannot tell.
  readonly #requests = new Map<Socket, number>();

  get size(): number {
    return this.#requests.size;
  }

  /** Counts the requests of a connection until it is closed. */
  add(socket: Socket): void {
    this.#requests.set(socket, 0);
    socket.once("close", () => this.#requests.delete(socket));
  }

  begin(socket: Socket): void {
    this.#change(socket, 1);
  }

  end(socket: Socket): void {
    this.#change(socket, -1);
  }

  isIdle(socket: Socket): boolean {
    return this.#requests.get(socket) === 0;
  }

  /** Closes the connections that wait for nothing. */
  destroyIdle(): void {
    for (const socket of this.#requests.keys()) if (this.isIdle(socket)) socket.destroy();
  }

  #change(socket: Socket, by: number): void {
    const before = this.#requests.get(socket);
    // The response of a client that has left is closed after its connection, which must not be
    // added again.
    if (before !== undefined) this.#requests.set(socket, before + by);
  }
}
