/** What a solution declares, as far as the view of an instance needs it, and where an instance listens. */

export interface Endpoint {
  readonly kind: 'MESSAGES' | 'INPUT_COMMANDS';
  readonly name: string;
  readonly protocol: string;
  readonly url: string;
  readonly address: string;
  readonly port: number;
  readonly dnsName: string | null;
}

/** A field of a message, a parameter of an input command, or a setting, as a solution declares it. */
export interface Field {
  readonly description?: string;
  readonly type: 'STRING' | 'NUMBER' | 'INTEGER' | 'BOOLEAN';
  readonly required?: boolean;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly maxLength?: number;
  readonly pattern?: string;
}

interface Guarded {
  readonly description?: string;
  readonly auth?: 'KEY' | 'NONE';
  readonly keySetting?: string;
}

/** The document of a solution version, as far as the view needs it. */
export interface Definition {
  readonly settings?: Readonly<Record<string, Field & { readonly secret?: boolean }>>;
  readonly listeners?: Readonly<Record<string, Guarded & { readonly topic?: string }>>;
  readonly messages?: Readonly<
    Record<
      string,
      { readonly listener?: string; readonly fields?: Readonly<Record<string, Field>> }
    >
  >;
  readonly inputCommands?: Readonly<
    Record<
      string,
      Guarded & {
        readonly method?: 'GET' | 'POST';
        readonly parameters?: Readonly<Record<string, Field>>;
      }
    >
  >;
}
