// Terraform's values on the wire: MessagePack, in which an extension stands for "not known yet".
'use strict';
const msgpack = require('@msgpack/msgpack');

/** A value that is only known after the apply. */
const UNKNOWN = Symbol('unknown');

// Terraform sends 0 for an unknown value, and 12 for one of which it knows something, such as "not null".
const PLAIN = 0;
const REFINED = 12;

const extensions = new msgpack.ExtensionCodec();
extensions.register({
  type: PLAIN,
  encode: (value) => (value instanceof Unknown ? new Uint8Array(1) : null),
  decode: () => UNKNOWN,
});
extensions.register({ type: REFINED, encode: () => null, decode: () => UNKNOWN });

/** The encoder looks at objects only, and a symbol is none. */
class Unknown {}

function decode(value) {
  if (value?.msgpack?.length) return msgpack.decode(value.msgpack, { extensionCodec: extensions });
  if (value?.json?.length) return JSON.parse(value.json.toString());
  return null;
}

function encode(value) {
  return { msgpack: Buffer.from(msgpack.encode(objects(value), { extensionCodec: extensions })) };
}

function objects(value) {
  if (value === UNKNOWN) return new Unknown();
  if (Array.isArray(value)) return value.map(objects);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, objects(item)]));
}

module.exports = { UNKNOWN, decode, encode };
