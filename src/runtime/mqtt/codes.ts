/** The reason codes of MQTT 5 that are used, and the three answers to CONNECT that 3.1.1 has for them. */
export const codes = {
  success: 0x00,
  noSubscriptionExisted: 0x11,
  unspecified: 0x80,
  malformedPacket: 0x81,
  protocolError: 0x82,
  unsupportedVersion: 0x84,
  badClientId: 0x85,
  badPassword: 0x86,
  notAuthorized: 0x87,
  shuttingDown: 0x8b,
  badAuthenticationMethod: 0x8c,
  keepAliveTimeout: 0x8d,
  sessionTakenOver: 0x8e,
  badTopic: 0x90,
  badTopicAlias: 0x94,
  packetTooLarge: 0x95,
  quotaExceeded: 0x97,
  administrativeAction: 0x98,
  badPayload: 0x99,
  qosNotSupported: 0x9b,
} as const;

export const connackCodes311: Readonly<Record<number, number>> = {
  [codes.success]: 0,
  [codes.unsupportedVersion]: 1,
  [codes.badClientId]: 2,
  [codes.badPassword]: 4,
};

/** A violation of MQTT or of a limit: the connection ends with this code and reason. */
export class Ends extends Error {
  override readonly name = 'Ends';
  readonly code: number;

  constructor(code: number, reason: string) {
    super(reason);
    this.code = code;
  }
}
