//! What a cloud image is set up with at its first boot.

use clap::Args;

/// What cloud-init does at the first boot of a cloud image
#[derive(Debug, Args)]
pub struct Setup {
    /// Package to install at the first boot (cloud images)
    #[arg(long, value_name = "NAME")]
    pub package: Vec<String>,
    /// Command to run as root at the first boot
    #[arg(long, value_name = "COMMAND")]
    pub run: Vec<String>,
    /// Locale, such as de_DE.UTF-8
    #[arg(long, value_name = "LOCALE")]
    pub locale: Option<String>,
    /// Keyboard layout, such as de
    #[arg(long, value_name = "LAYOUT")]
    pub keyboard: Option<String>,
    /// Time zone, such as Europe/Berlin
    #[arg(long, value_name = "ZONE")]
    pub timezone: Option<String>,
}

impl Setup {
    /// As the service takes it.
    pub fn setup(&self) -> nestbox_model::Setup {
        nestbox_model::Setup {
            packages: self.package.clone(),
            run: self.run.clone(),
            locale: self.locale.clone(),
            keyboard: self.keyboard.clone(),
            timezone: self.timezone.clone(),
        }
    }
}
