/** `models/mnist` for `mnist`; a full name stays as it is. */
export function fullName(collection: string, idOrName: string): string {
  return idOrName.startsWith(`${collection}/`) ? idOrName : `${collection}/${idOrName}`;
}

/** `mnist` for `models/mnist`. */
export function idOf(name: string): string {
  return name.slice(name.indexOf('/') + 1);
}
