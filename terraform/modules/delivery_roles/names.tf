# The ARNs of everything that the environment has or will have. They follow from the names, which terraform/platform/names.tf
# and modules/pipeline_context make.

locals {
  _env    = var.environment.name
  _region = var.environment.region

  # As modules name things: <project>-<what>-<environment>.
  naming      = "${var.project}-%s-${local._env}"
  _any        = format(local.naming, "*")
  _database   = replace("${var.project}_${local._env}", "-", "_")
  _parameter  = "/lake/${var.project}/${local._env}"
  roles_path  = "${local._parameter}/"
  _delivery   = "/delivery/${var.project}/"
  _of_service = { for service in ["athena", "cloudtrail", "cloudwatch", "dynamodb", "events", "firehose", "glue", "kms", "lambda", "logs", "scheduler", "secretsmanager", "sns", "sqs", "ssm"] : service => "arn:aws:${service}:${local._region}:${var.account_id}" }

  arns = {
    alarms      = ["${local._of_service.cloudwatch}:alarm:${local._any}"]
    aliases     = ["${local._of_service.kms}:alias/${local._any}"]
    anomalies   = [for what in ["anomalymonitor", "anomalysubscription"] : "arn:aws:ce::${var.account_id}:${what}/*"]
    budgets     = ["arn:aws:budgets::${var.account_id}:budget/${local._any}"]
    buckets     = [for bucket in var.environment.buckets : "arn:aws:s3:::${bucket}"]
    catalog     = ["${local._of_service.glue}:catalog", "${local._of_service.glue}:database/${local._database}", "${local._of_service.glue}:table/${local._database}/*"]
    code        = ["arn:aws:s3:::${var.environment.buckets.datalake}/contracts/*", "arn:aws:s3:::${var.environment.buckets.code}/*"]
    dashboards  = [for name in ["${var.project}-${local._env}", local._any] : "arn:aws:cloudwatch::${var.account_id}:dashboard/${name}"]
    functions   = [for version in ["", ":*"] : "${local._of_service.lambda}:function:${local._any}${version}"]
    jobs        = ["${local._of_service.glue}:job/${local._any}"]
    keys        = ["${local._of_service.kms}:key/*"]
    log_groups  = [for name in ["/aws/lambda/${local._any}", "/aws-glue/${local._any}/*", "/aws/kinesisfirehose/${local._any}"] : "${local._of_service.logs}:log-group:${name}"]
    parameters  = [for name in ["", "/pipelines", "/pipelines/*"] : "${local._of_service.ssm}:parameter${local._parameter}${name}"]
    queues      = ["${local._of_service.sqs}:${local._any}"]
    roles       = ["arn:aws:iam::${var.account_id}:role${local.roles_path}*"]
    rules       = ["${local._of_service.events}:rule/${local._any}"]
    schedules   = ["${local._of_service.scheduler}:schedule/default/${local._any}"]
    secrets     = ["${local._of_service.secretsmanager}:secret:${local._any}-??????"]
    streams     = ["${local._of_service.firehose}:deliverystream/${local._any}"]
    tables      = ["${local._of_service.dynamodb}:table/${local._any}"]
    trails      = ["${local._of_service.cloudtrail}:trail/${local._any}"]
    topics      = ["${local._of_service.sns}:${local._any}"]
    workgroups  = ["${local._of_service.athena}:workgroup/${local._any}"]
    data        = [for what, bucket in var.environment.buckets : "arn:aws:s3:::${bucket}/*" if what != "code"]
    objects     = [for bucket in var.environment.buckets : "arn:aws:s3:::${bucket}/*"]
    state       = ["arn:aws:s3:::${var.state.bucket}/${local._env}/*"]
    state_place = ["arn:aws:s3:::${var.state.bucket}"]
    locks       = ["arn:aws:dynamodb:${var.state.region}:${var.account_id}:table/${var.state.dynamodb_table}"]
  }

  # Keys have random names, so their tags say whose they are.
  tagged    = { "aws:ResourceTag/project" = var.project, "aws:ResourceTag/environment" = local._env }
  to_be     = { "aws:RequestTag/project" = var.project, "aws:RequestTag/environment" = local._env }
  lock_keys = { "ForAllValues:StringLike" = { "dynamodb:LeadingKeys" = ["${var.state.bucket}/${local._env}/*"] } }
}
