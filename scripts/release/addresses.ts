export interface Addresses {
  readonly repository: { readonly type: "git"; readonly url: string; readonly directory: string };
  readonly bugs: string;
  readonly homepage: string;
}

/**
 * The addresses that the package in a folder of the repository is published with.
 *
 * @param repository the field of the same name in the top-level package.json, the one place that has the address.
 * @throws Error if the field is missing or no web address.
 */
export function addressesOf(repository: unknown, folder: string): Addresses {
  const [, address] = /^(https:\/\/[^/\s]+\/[^/\s]+\/[^/\s]+?)(?:\.git)?$/.exec(String(repository)) ?? [];
  if (address === undefined)
    throw new Error(
      `Cannot release without the repository's address: set "repository": "https://github.com/OWNER/NAME" in package.json`,
    );
  return {
    repository: { type: "git", url: `git+${address}.git`, directory: folder },
    bugs: `${address}/issues`,
    homepage: `${address}/tree/main/${folder}#readme`,
  };
}
