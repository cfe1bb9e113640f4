// Sends the answer on to the service; without scripts the person presses the button.
document.getElementById("form-post").submit();
