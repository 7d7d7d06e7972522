/** The secrets of compute providers. */

/** What they are bound to. */
export const providerPlace = (id: string): string => `compute_providers/${id}/secrets`;
