use url::Url;

/// Where files of tasks are kept.
#[derive(Debug, Clone, clap::Args)]
pub struct AttachmentSettings {
    /// S3 bucket for attachments; without it there are none
    #[arg(
        id = "attachments-bucket",
        long = "attachments-bucket",
        env = "ATTACHMENTS_BUCKET",
        value_name = "BUCKET"
    )]
    pub(crate) bucket: Option<String>,

    /// Region of the bucket
    #[arg(
        id = "aws-region",
        long = "aws-region",
        env = "AWS_REGION",
        value_name = "REGION",
        default_value = "us-east-1"
    )]
    pub(crate) region: String,

    /// Where S3 is, if not at AWS; users of attachments must reach it by this address too
    #[arg(id = "s3-endpoint", long = "s3-endpoint", env = "AWS_ENDPOINT_URL", value_name = "URL", value_parser = endpoint)]
    pub(crate) endpoint: Option<Url>,

    /// Largest attachment in bytes; S3 takes at most 5 GiB in one upload (Amazon S3 API Reference, `PutObject`)
    #[arg(
        id = "attachment-bytes",
        long = "attachment-bytes",
        env = "ATTACHMENT_BYTES",
        value_name = "BYTES",
        default_value_t = 25 * 1024 * 1024,
        value_parser = clap::value_parser!(i64).range(1..=5 * 1024 * 1024 * 1024)
    )]
    pub(crate) largest: i64,

    /// Bytes that the attachments of one project may take together; one counts from its announcement on
    #[arg(
        id = "attachment-project-bytes",
        long = "attachment-project-bytes",
        env = "ATTACHMENT_PROJECT_BYTES",
        value_name = "BYTES",
        default_value_t = 10 * 1024 * 1024 * 1024,
        value_parser = clap::value_parser!(i64).range(1..=1 << 50)
    )]
    pub(crate) room: i64,
}

fn endpoint(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).ok().filter(|url| url.host().is_some());
    url.filter(|url| matches!(url.scheme(), "http" | "https"))
        .ok_or_else(|| "expected a URL, such as http://127.0.0.1:4566".to_owned())
}
