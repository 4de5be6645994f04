import { I18nProvider } from "react-aria-components";
import { DataProvider, type DataSource } from "../data";
import { language } from "../i18n";
import { Shell } from "./shell";

export function App({ source }: { source: DataSource }) {
  return (
    <I18nProvider locale={language()}>
      <DataProvider source={source}>
        <Shell />
      </DataProvider>
    </I18nProvider>
  );
}
