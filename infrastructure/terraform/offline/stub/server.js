#!/usr/bin/env node
// A provider for Terraform that knows AWS's schema and no AWS: validate, plan, apply and test run against it offline.
//
// It speaks plugin protocol 6 on a Unix socket and prints the value of TF_REATTACH_PROVIDERS as its first line. It ends
// when its standard input does, so it cannot outlive whoever started it. Nothing is stored: the state is Terraform's.
// What it proves and what not is in ../README.md.
'use strict';
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const grpc = require('@grpc/grpc-js');
const protoLoader = require('@grpc/proto-loader');
const { Account } = require('./account');
const { plan } = require('./plan');
const { toWire } = require('./schema');
const { decode, encode } = require('./values');

const ADDRESS = 'registry.terraform.io/hashicorp/aws';
const schemas = JSON.parse(fs.readFileSync(path.join(__dirname, '..', 'schema', 'aws.json'), 'utf8'));
const account = new Account();

const calls = {
  GetProviderSchema: () => ({
    ...toWire(schemas),
    server_capabilities: { plan_destroy: false, get_provider_schema_optional: true },
  }),
  // Terraform itself holds a configuration against the schema before it asks, but for what only the provider may set.
  ValidateProviderConfig: () => ({}),
  ValidateResourceConfig: (request) => ({
    diagnostics: readOnly(schemas.resources[request.type_name], decode(request.config)).map((name) => ({
      severity: 'ERROR',
      summary: 'Invalid Configuration for Read-Only Attribute',
      detail: `AWS decides on "${name}"; it cannot be set.`,
    })),
  }),
  ValidateDataResourceConfig: () => ({}),
  ConfigureProvider: (request) => {
    account.configure(decode(request.config));
    return {};
  },
  UpgradeResourceState: (request) => ({ upgraded_state: { json: request.raw_state.json } }),
  // Nobody but Terraform and the test changes the state.
  ReadResource: (request) => ({ new_state: request.current_state }),
  PlanResourceChange: (request) => {
    const proposed = decode(request.proposed_new_state);
    return { planned_state: encode(plan(schemas.resources[request.type_name], proposed, account)) };
  },
  ApplyResourceChange: (request) => {
    const planned = decode(request.planned_state);
    return { new_state: encode(account.create(request.type_name, schemas.resources[request.type_name], planned)) };
  },
  ReadDataSource: (request) => {
    const config = decode(request.config);
    return { state: encode(account.answer(request.type_name, schemas.data_sources[request.type_name], config)) };
  },
  StopProvider: () => ({}),
};

/** The attributes that are set although only the provider sets them. */
function readOnly(block, config) {
  return Object.entries(block.attributes)
    .filter(([name, [, flags]]) => flags === 'c' && config[name] !== null)
    .map(([name]) => name);
}

/** A fault of the stub must be an error of the run, not a silent success. */
function handler(name, answer) {
  return (call, callback) => {
    try {
      callback(null, answer(call.request));
    } catch (error) {
      callback({ code: grpc.status.INTERNAL, details: `stub provider, ${name}: ${error.stack}` });
    }
  };
}

function main() {
  const definition = protoLoader.loadSync(path.join(__dirname, 'provider.proto'), { keepCase: true });
  const { tfplugin6 } = grpc.loadPackageDefinition(definition);
  const server = new grpc.Server();
  server.addService(
    tfplugin6.Provider.service,
    Object.fromEntries(Object.entries(calls).map(([name, answer]) => [name, handler(name, answer)])),
  );
  // A socket's path may have about a hundred characters, so it does not lie in the repository.
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'tf-stub-'));
  const socket = path.join(folder, 'socket');
  const end = () => {
    fs.rmSync(folder, { recursive: true, force: true });
    process.exit(0);
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, end);
  process.stdin.on('end', end).on('error', end).resume();
  server.bindAsync(`unix:${socket}`, grpc.ServerCredentials.createInsecure(), (error) => {
    if (error) throw error;
    const reattach = {
      [ADDRESS]: {
        Protocol: 'grpc',
        ProtocolVersion: 6,
        Pid: process.pid,
        Test: true,
        Addr: { Network: 'unix', String: socket },
      },
    };
    process.stdout.write(`${JSON.stringify(reattach)}\n`);
  });
}

main();
