/** The password of a container repository. */

/** What it is bound to. */
export const passwordPlace = (id: string): string => `container_repositories/${id}/password`;
