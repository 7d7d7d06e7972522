/** The DNS provider on the name server of this process. */
import { type AskOptions, askAddresses, checkRecord } from './ask.ts';
import { addressText } from './exchange.ts';
import type { DnsProvider, RecordWriter } from './provider.ts';

export interface ServerDnsProviderOptions extends AskOptions {
  /** Where the name server finds its records. */
  readonly records: RecordWriter;
}

/**
 * The DNS provider on the name server of this process. Publishing writes a record to the store;
 * resolving queries the server over the network. Errors: see `ask`, and `DNS_RECORD_INVALID`.
 */
export function createServerDnsProvider(options: ServerDnsProviderOptions): DnsProvider {
  const { records, zone, server } = options;
  return {
    kind: 'NAME_SERVER',
    async publish(record, signal) {
      signal.throwIfAborted();
      checkRecord(record, zone);
      await records.save(record);
    },
    async withdraw(name, signal) {
      signal.throwIfAborted();
      await records.remove(name);
    },
    async resolve(name, signal) {
      const addresses = await askAddresses(options, name.toLowerCase(), signal);
      return [{ server: addressText(server), addresses }];
    },
  };
}
