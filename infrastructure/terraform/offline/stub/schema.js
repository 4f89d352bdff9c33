// From schema/aws.json to the protocol's messages.
'use strict';

function toWire(schemas) {
  const all = (types) => Object.fromEntries(Object.entries(types).map(([name, block]) => [name, schema(block)]));
  return {
    provider: schema(schemas.provider),
    resource_schemas: all(schemas.resources),
    data_source_schemas: all(schemas.data_sources),
  };
}

function schema(block) {
  return { version: 0, block: toBlock(block) };
}

function toBlock({ attributes, blocks }) {
  return {
    attributes: Object.entries(attributes).map(([name, [type, flags]]) => ({
      name,
      type: Buffer.from(JSON.stringify(type)),
      required: flags.includes('r'),
      optional: flags.includes('o'),
      computed: flags.includes('c'),
    })),
    block_types: Object.entries(blocks).map(([name, nested]) => ({
      type_name: name,
      nesting: nested.nesting.toUpperCase(),
      min_items: nested.nesting === 'single' ? 0 : nested.min,
      max_items: nested.max,
      block: toBlock(nested.block),
    })),
  };
}

module.exports = { toWire };
