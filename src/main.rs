//! The command line of Towpath: the controller, the generator and what people ask.

fn main() -> anyhow::Result<()> {
    let directory = std::env::args().nth(3).unwrap_or_else(|| "crds".to_owned());
    for crd in towpath::api::crds() {
        let name = crd.metadata.name.clone().unwrap_or_default();
        let text = serde_saphyr::to_string(&crd)?;
        std::fs::write(format!("{directory}/{name}.yaml"), text)?;
    }
    Ok(())
}
