declare module "*/build/index.js" {
  export class Channel {}
  export default class Hub {}
}
