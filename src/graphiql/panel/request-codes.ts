/** What the codes of refused requests mean. The codes of refused commands are in the schema: `UserErrorCode`. */
export const requestCodes = {
  BAD_REQUEST: 'The request is not one that GraphQL takes. The message says what is wrong with it.',
  BAD_USER_INPUT: 'An argument has a value that cannot be used. Correct it as the message says.',
  CURSOR_EXPIRED:
    'The events behind this cursor are no longer kept. Read how things are now, then follow from its `feedPosition`.',
  CURSOR_INVALID:
    'This is no cursor of this server, or one from before its store was restored. Take one from an event, or from `feedPosition`.',
  FORBIDDEN: 'You are signed in, but may not do this.',
  GRAPHQL_PARSE_FAILED: 'The document is not GraphQL. The message has the place of the fault.',
  GRAPHQL_VALIDATION_FAILED:
    'The document does not fit the schema: a field, an argument or a type is not there. The Docs panel has the schema.',
  INTERNAL: 'A fault of the server. Its log has the cause under `requestId`.',
  METHOD_NOT_ALLOWED: 'This address does not take this HTTP method.',
  MISDIRECTED_REQUEST:
    'The server does not go by the name in the address. `ALLOWED_HOSTS` can add it.',
  NOT_ACCEPTABLE: 'The server cannot answer in a form that the request accepts.',
  NOT_FOUND: 'There is nothing of this name. Look at its spelling and at your organization.',
  PAYLOAD_TOO_LARGE: 'The request is larger than the server takes.',
  QUERY_TOO_COMPLEX:
    'The document asks for too much at once. Select fewer fields, fewer lists within lists, or smaller pages.',
  RATE_LIMITED: 'Too many at once, or too often. Wait, then try again.',
  UNAUTHENTICATED:
    'You are not signed in, or no longer. `npm run link` prints a link that signs this browser in.',
  UNAVAILABLE:
    'The database cannot be reached. Ask again in a moment; repeat a mutation with the same `idempotencyKey`.',
  UNSUPPORTED_MEDIA_TYPE: 'The body is not JSON, or does not say that it is.',
  CLOSED:
    'The server closed the connection for good. Its close code says why; sign in again if the session is over.',
} as const;
