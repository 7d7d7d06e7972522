/** Names of the API for people. */

/** `DEPLOY_INSTANCE`: Deploy instance. */
export function words(name: string): string {
  const text = name.toLowerCase().replaceAll('_', ' ').replaceAll('dns', 'DNS');
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** The status of an operation. One that runs is not called as an instance or a host that does. */
export const statusWord = (status: string): string =>
  status === 'RUNNING' ? 'In progress' : words(status);

/** `1 line`, `2 lines`. */
export const count = (amount: number, one: string, many = `${one}s`): string =>
  `${amount.toLocaleString()} ${amount === 1 ? one : many}`;

/** `512 MiB`, `4 GiB`, `23.5 GiB`. */
export function memory(bytes: number): string {
  const mebibytes = bytes / 1024 ** 2;
  if (mebibytes < 1024) return `${Math.round(mebibytes)}\u00a0MiB`;
  return `${Math.round(mebibytes / 102.4) / 10}\u00a0GiB`;
}
