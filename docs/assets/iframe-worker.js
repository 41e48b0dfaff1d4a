/* Search runs in a worker, and a page that was opened from the disk may start none: there, and only
   there, it runs in an empty frame of the page. The theme's plugin `offline` would fetch such a
   script from another host, unless it finds one of this name. */
if (location.protocol === "file:") {
  window.Worker = class extends EventTarget {
    constructor(url) {
      super();
      const frame = document.createElement("iframe");
      frame.hidden = true;
      document.body.append(frame);
      this.inside = frame.contentWindow;
      const page = this.inside.document;
      page.open();
      page.write("<!doctype html><body>");
      page.close();
      this.inside.postMessage = (answer) =>
        this.dispatchEvent(new MessageEvent("message", { data: answer }));
      const script = page.createElement("script");
      script.src = url;
      this.loaded = new Promise((done) => { script.onload = done; });
      page.body.append(script);
    }

    postMessage(question) {
      this.loaded.then(() =>
        this.inside.dispatchEvent(new MessageEvent("message", { data: question })));
    }
  };
}
