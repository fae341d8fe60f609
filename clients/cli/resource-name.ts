/** `models/mnist` for `mnist`; a full name stays as it is. */
export function fullName(collection: string, idOrName: string): string {
  return idOrName.startsWith(`${collection}/`) ? idOrName : `${collection}/${idOrName}`;
}

/** `datasets/mnist/versions/2` for `mnist:2`, `datasets/mnist` for `mnist`; a full name stays as it is. */
export function datasetName(text: string): string {
  const [dataset, version] = text.split(':');
  const name = fullName('datasets', dataset!);
  return version === undefined ? name : `${name}/versions/${version}`;
}

/** `mnist` for `models/mnist`. */
export function idOf(name: string): string {
  return name.slice(name.indexOf('/') + 1);
}
