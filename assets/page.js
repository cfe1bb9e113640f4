// Runs after the page is parsed, in browsers with modules: the page works without it.
document.body.classList.add("js-enabled", "govuk-frontend-supported");
initAll();
