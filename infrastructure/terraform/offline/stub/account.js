// An account that exists nowhere: it makes up whatever AWS would have chosen, in AWS's shapes.
'use strict';
const crypto = require('node:crypto');
const { UNKNOWN } = require('./values');

// Where the identifier is not an invented one but another attribute (provider documentation, "Attribute Reference").
const ID_OF = {
  aws_s3_bucket: 'bucket',
  aws_iam_role: 'name',
  aws_ecs_cluster: 'arn',
  aws_ecs_service: 'arn',
  aws_lb: 'arn',
  aws_lb_listener: 'arn',
  aws_lb_listener_rule: 'arn',
  aws_lb_target_group: 'arn',
  aws_sns_topic: 'arn',
  aws_secretsmanager_secret: 'arn',
  aws_acm_certificate: 'arn',
  aws_wafv2_web_acl: 'id',
  aws_cloudwatch_log_group: 'name',
  aws_cloudwatch_metric_alarm: 'alarm_name',
  aws_db_subnet_group: 'name',
  aws_db_parameter_group: 'name',
};

// service:kind of an ARN; the resource's name or identifier follows.
const ARN_OF = {
  aws_acm_certificate: 'acm:certificate/',
  aws_cloudfront_distribution: 'cloudfront::distribution/',
  aws_cloudtrail: 'cloudtrail:trail/',
  aws_cloudwatch_log_group: 'logs:log-group:',
  aws_cloudwatch_metric_alarm: 'cloudwatch:alarm:',
  aws_db_instance: 'rds:db:',
  aws_ecs_cluster: 'ecs:cluster/',
  aws_ecs_service: 'ecs:service/',
  aws_ecs_task_definition: 'ecs:task-definition/',
  aws_iam_openid_connect_provider: 'iam::oidc-provider/',
  aws_iam_role: 'iam::role/',
  aws_kms_key: 'kms:key/',
  aws_lambda_function: 'lambda:function:',
  aws_lb: 'elasticloadbalancing:loadbalancer/app/',
  aws_lb_listener: 'elasticloadbalancing:listener/app/',
  aws_lb_listener_rule: 'elasticloadbalancing:listener-rule/app/',
  aws_lb_target_group: 'elasticloadbalancing:targetgroup/',
  aws_s3_bucket: 's3:::',
  aws_secretsmanager_secret: 'secretsmanager:secret:',
  aws_sns_topic: 'sns:',
  aws_wafv2_web_acl: 'wafv2:regional/webacl/',
};

const NAMES = ['name', 'identifier', 'bucket', 'family', 'function_name', 'alarm_name', 'domain_name'];

class Account {
  #id = '000000000000';
  #region = 'eu-central-1';
  #tags = {};
  #made = 0;

  configure(config) {
    const [id] = config.allowed_account_ids ?? [];
    if (id !== undefined && id !== UNKNOWN) this.#id = id;
    if (config.region !== null && config.region !== UNKNOWN) this.#region = config.region;
    this.#tags = config.default_tags?.[0]?.tags ?? {};
  }

  tagsOf(own) {
    if (own === UNKNOWN || this.#tags === UNKNOWN) return UNKNOWN;
    return { ...this.#tags, ...own };
  }

  /** A planned resource with every value known. */
  create(type, block, planned) {
    if (planned === null) return null;
    const made = { ...planned };
    const unknown = (name) => made[name] === UNKNOWN;
    const name = NAMES.map((key) => made[key]).find((value) => typeof value === 'string') ?? this.#hex();
    if (unknown('arn')) made.arn = this.#arn(type, name);
    if (unknown('id')) made.id = made[ID_OF[type]] ?? `${type.split('_').at(-1)}-${this.#hex()}`;
    if (made.id === UNKNOWN) made.id = name;
    return this.#known(block, made);
  }

  /** A data source: what was asked, and whatever else its schema has. Asked again, it answers the same. */
  answer(type, block, config) {
    const [a, b, c] = ['a', 'b', 'c'].map((letter) => `${this.#region}${letter}`);
    const known = {
      aws_availability_zones: { names: [a, b, c], id: this.#region },
      aws_caller_identity: { account_id: this.#id, id: this.#id },
      aws_partition: { partition: 'aws', dns_suffix: 'amazonaws.com', id: 'aws' },
      aws_region: { region: this.#region, name: this.#region, id: this.#region },
    }[type];
    const asked = crypto.createHash('sha256').update(`${type}${JSON.stringify(config)}`).digest('hex').slice(0, 17);
    const state = { ...config };
    for (const [name, [, flags]] of Object.entries(block.attributes)) {
      if (flags.includes('c') && state[name] === null) state[name] = known?.[name] ?? UNKNOWN;
    }
    if (state.id === UNKNOWN) state.id = `${type.split('_').at(-1)}-${asked}`;
    return this.#known(block, state);
  }

  #known(block, value) {
    const result = { ...value };
    for (const [name, [type]] of Object.entries(block.attributes)) {
      if (result[name] === UNKNOWN) result[name] = this.#invent(type, name);
    }
    for (const [name, nested] of Object.entries(block.blocks)) {
      const inner = result[name];
      if (inner === UNKNOWN) throw new Error(`block ${name} must be known when it is applied`);
      if (Array.isArray(inner)) result[name] = inner.map((item) => this.#known(nested.block, item));
      else if (inner !== null) result[name] = this.#known(nested.block, inner);
    }
    return result;
  }

  /** One object where a list of objects is computed: an instance has one secret, a certificate one validation record. */
  #invent(type, name) {
    if (type === 'string') return name.endsWith('arn') ? `arn:aws:stub:${this.#region}:${this.#id}:${this.#hex()}` : `${name}-${this.#hex()}`;
    if (type === 'number') return 0;
    if (type === 'bool') return false;
    const [shape, of] = type;
    if (shape === 'map') return {};
    if (shape === 'object') return Object.fromEntries(Object.entries(of).map(([key, inner]) => [key, this.#invent(inner, key)]));
    return Array.isArray(of) && of[0] === 'object' ? [this.#invent(of, name)] : [];
  }

  #arn(type, name) {
    const kind = ARN_OF[type] ?? 'stub:';
    const [service, ...rest] = kind.split(':');
    const tail = rest.join(':');
    if (service === 's3') return `arn:aws:s3:::${name}`;
    // Services without a Region (IAM, CloudFront) have an empty field for it.
    if (tail.startsWith(':')) return `arn:aws:${service}::${this.#id}${tail}${name}`;
    return `arn:aws:${service}:${this.#region}:${this.#id}:${tail}${name}`;
  }

  #hex() {
    this.#made += 1;
    return this.#made.toString(16).padStart(17, '0');
  }
}

module.exports = { Account };
