/** Devices for each site, on average. */
const devicesPerSite = 100;

/**
 * Names as a fleet may have them. Every second client is a phone with a name of its own. The others are devices of sites,
 * whose names begin alike, so that all of a site have one home. Sites have the sizes of Zipf's law with exponent 1/2: the
 * largest of 5,000 has seventy times as many devices as the average.
 */
export class Population {
  readonly #devices: number;
  readonly #sites: number;

  constructor(clients: number) {
    this.#devices = Math.floor(clients / 2);
    this.#sites = Math.max(1, Math.round(this.#devices / devicesPerSite));
  }

  nameOf(client: number): string {
    return client < this.#devices ? `site-${this.#siteOf(client)}/${client}` : `phone-${client}`;
  }

  /** Any device. @param fraction from 0 up to, but not including, 1 */
  device(fraction: number): number {
    return Math.floor(fraction * this.#devices);
  }

  phone(fraction: number): number {
    return this.#devices + this.device(fraction);
  }

  /** A device of the same site as another one. It may be the same. */
  neighbour(device: number, fraction: number): number {
    const site = this.#siteOf(device);
    const [first, end] = [this.#firstOf(site), this.#firstOf(site + 1)];
    return Math.min(this.#devices - 1, first + Math.floor(fraction * (end - first)));
  }

  #siteOf(device: number): number {
    return Math.floor(this.#sites * (device / this.#devices) ** 2);
  }

  #firstOf(site: number): number {
    return Math.ceil(this.#devices * Math.sqrt(site / this.#sites));
  }
}
