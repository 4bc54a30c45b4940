import type { Basket } from "./basket";

export interface ClientOptions {
  retries: number;
  onError(message: string): void;
}

export type Answer<T> = { body: T; took_ms: number };

export enum Order {
  Rank,
  Path,
}

/** Asks the shop over HTTP, and keeps what it said. */
export class HttpClient {
  private cache = new Map<string, string>();

  constructor(private options: ClientOptions) {}

  getUserName(id: string): string {
    const key = `user:${id}`;
    return this.cache.get(key) ?? "";
  }

  async fetchBasket(id: string): Promise<Basket> {
    for (let attempt = 0; attempt <= this.options.retries; attempt += 1) {
      const response = await fetch(`/baskets/${id}`);
      if (response.ok) return response.json();
      this.options.onError(`attempt ${attempt}: ${response.status}`);
    }
    throw new Error(`basket ${id} cannot be fetched`);
  }
}

export const parseQuery = (text: string) => {
  return new URLSearchParams(text);
};

export namespace Prices {
  export function inCents(euros: number): number {
    return Math.round(euros * 100);
  }
}
