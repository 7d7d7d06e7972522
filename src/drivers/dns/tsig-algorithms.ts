/** Names of the algorithms of TSIG keys, as name servers write them. The list of settings needs no more. */
export const tsigAlgorithms = ['hmac-sha256', 'hmac-sha384', 'hmac-sha512'] as const;
export type TsigAlgorithm = (typeof tsigAlgorithms)[number];
