//! What kinds of files there may be: documents, pictures, sound, archives. Nothing that a browser would run as a page.

use serde::{Deserialize, Serialize};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        RefOr, Type,
        schema::{ObjectBuilder, Schema},
    },
};

macro_rules! media_types {
    ($($name:ident = $text:literal,)+) => {
        /// The type of a file, without parameters.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
        pub(super) enum MediaType {
            $(#[serde(rename = $text)] $name,)+
        }

        impl MediaType {
            const ALL: &[Self] = &[$(Self::$name),+];

            pub(super) fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)+
                }
            }
        }
    };
}

media_types! {
    Binary = "application/octet-stream",
    Gzip = "application/gzip",
    Json = "application/json",
    Pdf = "application/pdf",
    Zip = "application/zip",
    Word = "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    Sheet = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    Slides = "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    OpenText = "application/vnd.oasis.opendocument.text",
    OpenSheet = "application/vnd.oasis.opendocument.spreadsheet",
    OpenSlides = "application/vnd.oasis.opendocument.presentation",
    Mp3 = "audio/mpeg",
    Ogg = "audio/ogg",
    Avif = "image/avif",
    Gif = "image/gif",
    Jpeg = "image/jpeg",
    Png = "image/png",
    Webp = "image/webp",
    Csv = "text/csv",
    Markdown = "text/markdown",
    Plain = "text/plain",
    Mp4 = "video/mp4",
    Webm = "video/webm",
}

impl PartialSchema for MediaType {
    fn schema() -> RefOr<Schema> {
        let texts = Self::ALL.iter().map(|media| media.as_str());
        ObjectBuilder::new()
            .schema_type(Type::String)
            .enum_values(Some(texts))
            .into()
    }
}

impl ToSchema for MediaType {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_runs_in_a_browser_is_a_type_of_file_here() {
        let read = |text: &str| serde_json::from_value::<MediaType>(text.into());
        assert_eq!(read("image/png").unwrap().as_str(), "image/png");
        for text in [
            "text/html",
            "image/svg+xml",
            "application/xhtml+xml",
            "text/javascript",
            "text/plain; charset=utf-8",
            "",
        ] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
