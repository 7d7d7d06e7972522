/** How many subscriptions a server has open, by its metrics; those of runtimes are among them. */
export async function openSubscriptions(server: { readonly url: string }): Promise<number> {
  const text = await (await fetch(`${server.url}/metrics`)).text();
  const lines = text.match(/^instance_manager_open_operations\{.*subscription.*\} (\d+)$/gm) ?? [];
  return lines.reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
}
