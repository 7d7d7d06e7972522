/** What kinds of values a setting takes: how each is read, and what it takes in words. */
import { isIP } from 'node:net';
import { resolve } from 'node:path';
import * as z from 'zod';
import { isKeyText, makeKey } from './store/secret/keys.ts';

export interface Setting<Value> {
  readonly name: string;
  /** As written in the environment; null: unset has a meaning of its own. */
  readonly byDefault: string | null;
  /** The values it takes, as the end of the sentence "NAME takes …". */
  readonly takes: string;
  readonly about: string;
  /** Its value is never shown. */
  readonly secret?: true;
  readonly schema: z.ZodType<Value, string>;
}

/** The values that a setting accepts, as a schema and in words. */
export type Kind<Value> = Pick<Setting<Value>, 'takes' | 'schema' | 'secret'>;

export const whole = (least: number, most: number): Kind<number> => ({
  takes: `a whole number from ${least} to ${most}`,
  schema: z.string().regex(/^\d+$/).transform(Number).pipe(z.number().min(least).max(most)),
});
export const seconds = (least: number, most: number): Kind<number> => ({
  takes: `seconds, from ${least} to ${most}`,
  schema: z
    .string()
    .regex(/^\d+(\.\d+)?$/)
    .transform(Number)
    .pipe(z.number().min(least).max(most)),
});
export const days: Kind<number> = {
  takes: 'days, more than 0 and at most 36500',
  schema: z
    .string()
    .regex(/^\d+(\.\d+)?$/)
    .transform(Number)
    .pipe(z.number().positive().max(36_500)),
};
export const oneOf = <const Name extends string>(
  ...names: readonly [Name, ...Name[]]
): Kind<Name> => ({
  takes: `one of ${names.join(', ')}`,
  schema: z.enum(names) as unknown as z.ZodType<Name, string>,
});
export const address: Kind<string> = {
  takes: 'an IP address or localhost',
  schema: z.string().refine((text) => text === 'localhost' || isIP(text) !== 0),
};
export const path: Kind<string> = {
  takes: 'a path',
  schema: z.string().transform((text) => resolve(text)),
};
export const yes: Kind<boolean> = {
  takes: '1 or 0',
  schema: z.enum(['0', '1']).transform((text) => text === '1') as z.ZodType<boolean, string>,
};
export const text = (takes: string, pattern: RegExp): Kind<string> => ({
  takes,
  schema: z.string().regex(pattern),
});
export const url = (takes: string, pattern: RegExp): Kind<string> => ({
  takes,
  schema: z.string().refine((value) => pattern.test(value) && URL.canParse(value)),
});
/** An address or a host name, and a port: `10.0.0.2`, `ns1.example:5353`, `[fd00::2]:53`. */
export const hostAndPort = (byDefault: number): Kind<{ host: string; port: number }> => ({
  takes: 'an IP address or a host name, with a port behind a colon if it is another than 53',
  schema: z
    .string()
    .refine((given) => splitHost(given) !== null)
    .transform((given) => {
      const { host = '', port } = splitHost(given) ?? {};
      return { host, port: port ? Number(port) : byDefault };
    }),
});
function splitHost(given: string): { host?: string; port?: string } | null {
  const named = /^(?:\[(?<ipv6>[^\]]+)\]|(?<host>[a-z0-9.-]+))(?::(?<port>\d{1,5}))?$/i.exec(given);
  const { ipv6, host, port } = named?.groups ?? (isIP(given) ? { host: given } : {});
  if ((ipv6 && isIP(ipv6) !== 6) || !(ipv6 ?? host) || Number(port ?? 1) > 65_535) return null;
  return { host: ipv6 ?? host, port };
}
export const base64 = (leastBytes: number): Kind<Buffer> => ({
  takes: `${leastBytes} bytes or more in base64`,
  schema: z
    .string()
    .regex(/^[A-Za-z0-9+/]+={0,2}$/)
    .transform((given) => Buffer.from(given, 'base64'))
    .refine((bytes) => bytes.length >= leastBytes),
});
export const secret = <Value>(kind: Kind<Value>): Kind<Value> => ({ ...kind, secret: true });
export const hostNames: Kind<string[]> = {
  takes: 'host names, with commas between them',
  schema: z
    .string()
    .transform((names) =>
      names
        .toLowerCase()
        .split(',')
        .flatMap((name) => name.trim() || []),
    )
    .pipe(z.array(z.string().regex(/^[a-z0-9.:[\]-]+$/))),
};
export const secretsKeys: Kind<string[]> = {
  takes: `32 bytes in base64 (${makeKey} makes them), or several such keys with commas between them`,
  schema: z
    .string()
    .transform((keys) => keys.split(',').map((key) => key.trim()))
    .pipe(z.array(z.string().refine(isKeyText))),
};
