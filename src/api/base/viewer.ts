/** The viewer: what a token, a session cookie or the key of a run proves. */

interface Identity {
  readonly organizationId: string;
  /** The access key that was used; revoking it ends everything that it opened. */
  readonly accessKeyId: string;
  readonly name: string;
}

/** The administrator's token. */
export interface AdminViewer extends Identity {
  readonly kind: 'ADMIN';
}

/** A browser that signed in with a link. */
export interface SessionViewer extends Identity {
  readonly kind: 'SESSION';
}

/** A runtime: it may read and do what its own run needs, for its own instance alone. */
export interface RunViewer extends Identity {
  readonly kind: 'RUN';
  readonly runId: string;
  readonly instanceId: string;
}

export type Viewer = AdminViewer | SessionViewer | RunViewer;
