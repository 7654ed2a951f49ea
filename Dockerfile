# The light installation with the server, for a user without rights:
#     docker build -t emodetect .
#     docker run -p 8000:8000 emodetect serve --host 0.0.0.0 --token SECRET
#     docker run -v "$PWD:/data" emodetect image /data/photo.jpg
FROM python:3.12-slim
RUN apt-get update && apt-get install -y --no-install-recommends libgl1 libglib2.0-0 && rm -rf /var/lib/apt/lists/*
COPY requirements /build/requirements
RUN pip install --no-cache-dir -r /build/requirements/serve.txt
COPY . /build/source
RUN pip install --no-cache-dir --no-deps /build/source && rm -rf /build
RUN useradd --create-home emodetect
USER emodetect
WORKDIR /home/emodetect
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/v1/health', timeout=4)"]
ENTRYPOINT ["emodetect"]
CMD ["doctor", "--headless"]
