//! What files are for, and what each class may be. The one table of limits.

crate::text_enum! {
    /// What a file is for.
    pub enum FileClass {
        /// 证据: what proves something. Its bytes are kept as they came, metadata included, because when and where a picture was taken may
        /// be what it proves.
        Evidence = "evidence",
        /// 照片: a picture to look at. Nothing but the picture is kept.
        Photo = "photo",
        /// 材料: a form or a certificate, as a PDF or as a picture of it. Of pictures nothing but the picture is kept.
        Document = "document",
    }
}

crate::text_enum! {
    /// What a file is, as its content says.
    pub enum MediaType {
        /// A photograph.
        Jpeg = "image/jpeg",
        /// A screenshot, usually.
        Png = "image/png",
        /// A picture.
        Webp = "image/webp",
        /// A document.
        Pdf = "application/pdf",
    }
}

/// Bytes of any file at most.
pub const LARGEST: usize = 10 << 20;

/// What a class may be.
#[derive(Debug, Clone, Copy)]
pub struct Rules {
    /// Of which types.
    pub takes: &'static [MediaType],
    /// How many bytes at most.
    pub bytes: usize,
    /// How many pixels a picture has at most.
    pub pixels: u64,
    /// Whether everything but the picture goes.
    pub strips: bool,
}

/// What a phone's camera makes at its largest, and less than what makes a viewer stumble.
const PIXELS: u64 = 65_000_000;
const PICTURES: &[MediaType] = &[MediaType::Jpeg, MediaType::Png, MediaType::Webp];
const ALL: &[MediaType] = &[MediaType::Jpeg, MediaType::Png, MediaType::Webp, MediaType::Pdf];

impl FileClass {
    /// What files of this class may be.
    pub fn rules(self) -> Rules {
        match self {
            Self::Evidence => Rules { takes: ALL, bytes: LARGEST, pixels: PIXELS, strips: false },
            Self::Photo => Rules { takes: PICTURES, bytes: 8 << 20, pixels: PIXELS, strips: true },
            Self::Document => Rules { takes: ALL, bytes: LARGEST, pixels: PIXELS, strips: true },
        }
    }
}

impl MediaType {
    /// How names of such files end.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Jpeg => "jpg",
            Self::Png => "png",
            Self::Webp => "webp",
            Self::Pdf => "pdf",
        }
    }
}
