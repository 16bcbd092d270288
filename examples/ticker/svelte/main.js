import { mount } from "svelte";
import PriceTable from "./PriceTable.svelte";

mount(PriceTable, { target: document.getElementById("app") });
