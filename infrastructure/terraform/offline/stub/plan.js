// What a provider decides in a plan: which values are only known after the apply.
'use strict';
const { UNKNOWN } = require('./values');

/**
 * `proposed` is Terraform's merge of the configuration with the prior state. What the provider computes and nobody has
 * set is null in it until the object exists.
 */
function plan(block, proposed, account) {
  if (proposed === null) return null;
  const planned = { ...proposed };
  for (const [name, [, flags]] of Object.entries(block.attributes)) {
    if (flags.includes('c') && planned[name] === null) planned[name] = UNKNOWN;
  }
  // The provider adds its default tags to each resource's own (provider documentation, "default_tags").
  if ('tags_all' in planned && 'tags' in planned) planned.tags_all = account.tagsOf(planned.tags);
  for (const [name, nested] of Object.entries(block.blocks)) {
    planned[name] = inside(nested, planned[name], account);
  }
  return planned;
}

function inside(nested, value, account) {
  if (value === null || value === UNKNOWN) return value;
  if (nested.nesting === 'single') return plan(nested.block, value, account);
  return value.map((item) => (item === UNKNOWN ? item : plan(nested.block, item, account)));
}

module.exports = { plan };
