import { HttpError } from './http-error.js';

/** Bytes that the bodies of all requests in flight may hold together; past them a request is refused at once. */
export class BodyBudget {
  #usedBytes = 0;

  constructor(private readonly bytesMax: number) {}

  get usedBytes(): number {
    return this.#usedBytes;
  }

  take(bytes: number): void {
    if (this.#usedBytes + bytes > this.bytesMax) {
      const message = `The bodies of all requests may hold ${this.bytesMax} bytes together, which they do. Try again.`;
      throw new HttpError(429, message);
    }
    this.#usedBytes += bytes;
  }

  give(bytes: number): void {
    this.#usedBytes -= bytes;
  }
}

/** What one body holds of the budget. */
export class BodyShare {
  #heldBytes = 0;

  constructor(private readonly budget: BodyBudget) {}

  hold(bytes: number): void {
    this.budget.take(bytes);
    this.#heldBytes += bytes;
  }

  release(): void {
    this.budget.give(this.#heldBytes);
    this.#heldBytes = 0;
  }
}
