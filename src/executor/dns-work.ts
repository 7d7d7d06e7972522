/** What the executor does for the names of hosts: every name server has to confirm it. */
import { canonicalAddress, type ServerAnswer } from '../drivers/dns/provider.ts';
import type { HostTarget } from '../store/read/targets.ts';
import type { WorkItem } from '../store/work/work.ts';
import { callDriver, failureOf, stageOf } from './call.ts';
import type { Outcome, WorkContext } from './work-handler.ts';

const dnsTtlSeconds = 30;
const secondsAtMost = 15;

type Named = Pick<HostTarget, 'dnsName' | 'address'>;

/** Publishes the address of a host. Null: every name server answers with it. */
export async function publishName(
  context: WorkContext,
  item: WorkItem,
  { dnsName: name, address }: Named & { address: string },
): Promise<Outcome | null> {
  const answers = await callNameServer(context, item, async (signal) => {
    await context.dns.publish({ name, address, ttlSeconds: dnsTtlSeconds }, signal);
    return context.dns.resolve(name, signal);
  });
  const behind = answers.filter((answer) => !carries(answer, address));
  return again(behind, `does not answer ${name} with ${address} yet.`, item);
}

/** Withdraws the name of a host. Null: no name server answers with its address any more. */
export async function withdrawName(
  context: WorkContext,
  item: WorkItem,
  { dnsName: name, address }: Named,
): Promise<Outcome | null> {
  const answers = await callNameServer(context, item, async (signal) => {
    await context.dns.withdraw(name, signal);
    return address === null ? [] : context.dns.resolve(name, signal);
  });
  const behind = answers.filter((answer) => address !== null && carries(answer, address));
  return again(behind, `still answers ${name} with ${address}.`, item);
}

const callNameServer = <T>(
  { signal }: WorkContext,
  item: WorkItem,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> =>
  callDriver(item, { signal, seconds: secondsAtMost, name: 'the name server' }, (call) =>
    work(call.signal),
  );

const carries = ({ addresses }: ServerAnswer, address: string): boolean =>
  addresses.includes(canonicalAddress(address));

function again(behind: readonly ServerAnswer[], what: string, item: WorkItem): Outcome | null {
  if (behind.length === 0) return null;
  const servers = behind.map(({ server }) => server).join(' and ');
  const message = `The name server ${servers} ${what}`;
  const cause = { ...failureOf(null, stageOf(item.kind)), code: 'DNS_BEHIND', message };
  return { againInSeconds: 0.3, cause };
}
