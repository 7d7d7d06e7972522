/** Who asks: what a token, a session's cookie or a run's key proves, and nothing more. */

interface Identity {
  readonly organizationId: string;
  /** The access key that was shown; revoking it ends everything that it opened. */
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

/** A runtime: sees and does what its own run needs, for its own instance alone. */
export interface RunViewer extends Identity {
  readonly kind: 'RUN';
  readonly runId: string;
  readonly instanceId: string;
}

export type Viewer = AdminViewer | SessionViewer | RunViewer;
