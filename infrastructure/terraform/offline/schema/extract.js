#!/usr/bin/env node
// Writes aws.json: the schemas of the resource types that the modules use, as hashicorp/aws 6.25.0 has them.
//
// The provider itself cannot be asked offline. Its schema is carried by the npm package @cdktf/provider-aws, whose
// TypeScript was generated from it: every class names its arguments with "computed / optional / required", and the
// TypeScript is embedded in the source maps. Run it when a module uses a type that aws.json lacks:
//
//   npm pack @cdktf/provider-aws@21.22.1 && tar xzf cdktf-provider-aws-21.22.1.tgz
//   node schema/extract.js package
//
// What the package does not know stands in supplement.json, written by hand from the provider's documentation: the
// provider's own block, of which the modules use three arguments, and blocks that the package flattens to `any`.
'use strict';
const fs = require('node:fs');
const path = require('node:path');

const TERRAFORM = path.join(__dirname, '..', '..');
const OUTPUT = path.join(__dirname, 'aws.json');

function main(folder) {
  const description = JSON.parse(fs.readFileSync(path.join(folder, 'package.json'), 'utf8'));
  const used = usedTypes(TERRAFORM);
  const supplement = JSON.parse(fs.readFileSync(path.join(__dirname, 'supplement.json'), 'utf8'));
  const schemas = {
    source: `npm ${description.name}@${description.version}, generated from hashicorp/aws ${description.cdktf.provider.version}`,
    licence: description.license,
    provider: supplement.provider,
    resources: {},
    data_sources: {},
  };
  for (const type of used.resources) {
    schemas.resources[type] = read(folder, moduleName(type), 'TerraformResource', supplement[type]);
  }
  for (const type of used.data_sources) {
    schemas.data_sources[type] = read(folder, `data-${type.replaceAll('_', '-')}`, 'TerraformDataSource');
  }
  fs.writeFileSync(OUTPUT, lines(schemas));
  console.log(`${OUTPUT}: ${used.resources.length} resource types, ${used.data_sources.length} data sources`);
}

/** Every `resource "aws_…"` and `data "aws_…"` in the modules and roots. */
function usedTypes(folder) {
  const found = { resources: new Set(), data_sources: new Set() };
  for (const file of fs.readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
    // offline/ has a configuration that is wrong on purpose.
    if (!file.endsWith('.tf') || file.includes('.terraform') || file.startsWith('offline')) continue;
    const text = fs.readFileSync(path.join(folder, file), 'utf8');
    for (const [, kind, type] of text.matchAll(/^(resource|data) "(aws_\w+)"/gm)) {
      found[kind === 'resource' ? 'resources' : 'data_sources'].add(type);
    }
  }
  return { resources: [...found.resources].sort(), data_sources: [...found.data_sources].sort() };
}

/** aws_ecs_service → ecs-service, which is a folder of the package. */
function moduleName(type) {
  return type.replace(/^aws_/, '').replaceAll('_', '-');
}

function read(folder, name, base, supplement) {
  const compiled = fs.readFileSync(path.join(folder, 'lib', name, 'index.js'), 'utf8');
  const map = compiled.match(/sourceMappingURL=data:[^,]*,(\S+)/)[1];
  const source = JSON.parse(Buffer.from(map, 'base64').toString()).sourcesContent[0];
  const classes = new Map();
  for (const [, className, parent, body] of source.matchAll(/^export class (\w+) extends cdktf\.(\w+) \{$(.*?)^\}$/gms)) {
    classes.set(className, { parent, body });
  }
  const [top] = [...classes.values()].filter((candidate) => candidate.parent === base);
  return block({ source, classes, supplement: supplement ?? {} }, top.body, top.body, []);
}

/** One block: `hcl` is the text of the function that writes it as HCL, which tells a list from a set. */
function block(context, body, hcl, where) {
  const result = { attributes: {}, blocks: {} };
  const pieces = body.split(/^  \/\/ (?=\w+ - computed: )/m).slice(1);
  for (const piece of pieces) {
    const [, name, computed, optional, required] = piece.match(
      /^(\w+) - computed: (\w+), optional: (\w+), required: (\w+)/,
    );
    const here = [...where, name].join('.');
    const added = context.supplement[here];
    if (added) {
      result.blocks[name] = added;
      continue;
    }
    const flags = (required === 'true' ? 'r' : '') + (optional === 'true' ? 'o' : '') + (computed === 'true' ? 'c' : '');
    const complex = piece.match(/private _\w+ = new (\w+)\(this, "\w+"(?:, (true|false))?\)/);
    if (!complex) {
      result.attributes[name] = [simple(piece, here), flags];
      continue;
    }
    const shape = nested(context, complex, hcl, name, [...where, name]);
    if (shape.isBlock) {
      result.blocks[name] = { nesting: shape.nesting, min: flags === 'r' ? 1 : 0, max: shape.max, block: shape.block };
    } else {
      result.attributes[name] = [[shape.nesting, objectType(shape.block)], flags];
    }
  }
  return result;
}

/** What a nested class stands for: a block, or an attribute whose values are objects. */
function nested(context, [, className, wrapsSet], hcl, name, where) {
  const many = context.classes.get(className).parent === 'ComplexList';
  const element = many ? className.replace(/List$/, 'OutputReference') : className;
  const struct = element.replace(/OutputReference$/, '');
  const writer = `${struct[0].toLowerCase()}${struct.slice(1)}ToHclTerraform`;
  const writing = context.source.match(new RegExp(`^export function ${writer}\\(.*?^}$`, 'ms'))?.[0] ?? '';
  const inner = block(context, context.classes.get(element).body, writing, where);
  const entry = hcl.match(new RegExp(`^ +${name}: \\{\\n +value: (.*),\\n +isBlock: (?:true|false),\\n +type: "(\\w+)"`, 'm'));
  // What nobody can write has no writer: it is computed, and so an attribute.
  const isBlock = entry !== null && !/listMapperHcl\(\w+, false\)/.test(entry[1]);
  if (many) return { isBlock, nesting: wrapsSet === 'true' ? 'set' : 'list', max: 0, block: inner };
  return { isBlock, nesting: entry?.[2] === 'struct' ? 'single' : (entry?.[2] ?? 'list'), max: entry?.[2] === 'struct' ? 0 : 1, block: inner };
}

const GETTERS = {
  getStringAttribute: 'string',
  getNumberAttribute: 'number',
  getBooleanAttribute: 'bool',
  getListAttribute: ['list', 'string'],
  getNumberListAttribute: ['list', 'number'],
  getStringMapAttribute: ['map', 'string'],
  getNumberMapAttribute: ['map', 'number'],
  getBooleanMapAttribute: ['map', 'bool'],
  interpolationForAttribute: 'dynamic',
  // Maps that only the provider writes.
  StringMap: ['map', 'string'],
  NumberMap: ['map', 'number'],
  BooleanMap: ['map', 'bool'],
};

function simple(piece, here) {
  const getter = piece.match(/(?:this|new cdktf)\.(get\w+Attribute|interpolationForAttribute|\w+Map)\(/)?.[1];
  const type = GETTERS[getter];
  if (type === undefined) throw new Error(`${here}: no type is known for ${getter}`);
  return /Fn\.tolist\(/.test(piece) && Array.isArray(type) ? ['set', type[1]] : type;
}

function objectType(inner) {
  const fields = {};
  for (const [name, [type]] of Object.entries(inner.attributes)) fields[name] = type;
  for (const [name, nestedBlock] of Object.entries(inner.blocks)) fields[name] = [nestedBlock.nesting, objectType(nestedBlock.block)];
  return ['object', fields];
}

/** One line for each type, so that a difference shows which one changed. */
function lines(schemas) {
  const group = (entries) =>
    Object.entries(entries)
      .map(([type, schema]) => `    ${JSON.stringify(type)}: ${JSON.stringify(schema)}`)
      .join(',\n');
  return `{
  "source": ${JSON.stringify(schemas.source)},
  "licence": ${JSON.stringify(schemas.licence)},
  "provider": ${JSON.stringify(schemas.provider)},
  "resources": {
${group(schemas.resources)}
  },
  "data_sources": {
${group(schemas.data_sources)}
  }
}
`;
}

main(process.argv[2] ?? 'package');
