import { I18nProvider } from "react-aria-components";
import { DataProvider } from "../data";
import { language } from "../i18n";
import { platform } from "../platform";
import { Shell } from "./shell";

export function App() {
  return (
    <I18nProvider locale={language()}>
      <DataProvider platform={platform}>
        <Shell />
      </DataProvider>
    </I18nProvider>
  );
}
