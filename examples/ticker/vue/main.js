import { createApp } from "vue";
import PriceTable from "./PriceTable.vue";

createApp(PriceTable).mount("#app");
