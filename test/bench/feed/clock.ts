/** A clock that all processes of one machine share: CLOCK_MONOTONIC, in milliseconds. */
const offset = Number(process.hrtime.bigint()) / 1e6 - performance.now();

export const now = (): number => performance.now() + offset;
